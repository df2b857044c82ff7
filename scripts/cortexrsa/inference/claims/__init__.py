"""Claims, as files of resources/claims/ state them, evaluated on the scores of a study."""
