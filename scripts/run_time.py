"""Say how long `make run` will take here: `python scripts/run_time.py [CORES]`."""

import sys

from cortexrsa.run_time import processor_flags, sentence, usable_cores

# all cores without a number, as `make run`
print(sentence(usable_cores(sys.argv[1] if sys.argv[1:] else "all"), processor_flags()))
