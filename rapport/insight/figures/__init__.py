"""The figures of a period and of the one before it, with one question to the database for each kind.

`talks` is how conversations went, `results` what came of them, `common` what both share. Statements are
built once for each way to filter: building one costs more than running it.
"""
