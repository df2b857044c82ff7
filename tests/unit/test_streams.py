"""Streams of random numbers: none is another's by mistake."""

from cortexrsa.brain.simulated.streams import Shared, of_all, of_roi, of_scans
from cortexrsa.guidance import targets
from cortexrsa.streams import Stream


def test_a_number_that_is_given_twice_is_seen():
    # an enumeration takes it for another name without a word
    twice = {name for name, stream in Stream.__members__.items() if name != stream.name}
    assert twice == {"SIMULATED_TRAINING"}
    assert list(Shared.__members__) == [stream.name for stream in Shared]
    assert targets.STREAM not in list(Stream)


def test_parts_of_the_simulated_data_set_are_independent():
    seeds = [of_all(1, stream) for stream in Shared]
    seeds += [of_scans(1, 1), of_scans(1, 2)]
    seeds += [of_roi(1, 1, "V1"), of_roi(1, 2, "V1"), of_roi(1, 1, "V2")]
    assert len({tuple(seed.generate_state(4)) for seed in seeds}) == len(seeds)
