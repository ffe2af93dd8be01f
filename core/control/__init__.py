"""The private socket by which `hsctl` speaks to a running server, which owns the data.

`<data_dir>/hsctl.sock`, mode 0600: who may open it is who runs the server, or root. One JSON object a line each way:
`{"command": ..., "arguments": {...}}` is answered by `{"result": ...}` or `{"error": "a sentence"}`. What commands
there are is decided by the composition root; the server's and the command line's own run the same functions.
"""
