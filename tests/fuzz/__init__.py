"""
Bytes, JSON-RPC and whole LSP sessions from a seed; what once went wrong is kept and tried first.

How long it goes on is said by `OPENCODER_LOADS` (see `tests.loads.scale`), where it begins by
`OPENCODER_FUZZ_SEED`. A session that fails is cut down and written into `corpus/`, to be committed
with the cure.
"""
