"""One loop for every network: `train(config, workdir)`.

`task.py` says what can be trained, `tasks/` holds what is; `optimisers.py` is one
update, `devices.py` where it runs, `data.py` what it reads, `preparation.py` what is
made of that on the device, and `loop.py` the loop itself.
"""
