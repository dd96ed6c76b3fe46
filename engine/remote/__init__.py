"""Somebody else's server as the engine: Mercury, llama.cpp, vLLM, SGLang, another Sfumato.

An endpoint is a folder, like a checkpoint, and is used like one; in the place of weights it holds
where the server is. Its engine answers as `engine.infill.Engine` does, checked by the same gate,
and needs no torch. The doors are `endpoint.Endpoint` and, for what serves, `engine.RemoteEngine`.
"""
