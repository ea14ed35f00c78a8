"""The only doors to the outside: commands, SQL, HTTP, objects, Kubernetes, Helm, Caddy.

Here alone are sockets opened and processes started. No judgement is made here.
"""
