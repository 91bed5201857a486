"""One loop for every network: `train(config, workdir)`.

`task.py` says what can be trained, `tasks/` holds what is; `optimise.py` is one update,
`devices.py` where it runs, `data.py` what it sees, `loop.py` the loop itself.
"""
