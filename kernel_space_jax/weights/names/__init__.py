"""One file a network with official weights: `OFFICIAL` in names/NETWORK.py."""
