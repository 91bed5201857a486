"""The training problems, a paper a file: what the engine's `Task` is made for."""
