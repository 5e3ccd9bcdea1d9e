"""Programs that run in a notebook's kernel, which may have nothing but the standard library (Python >= 3.8).

They are sent as text (`jupyterhub_mesos.lab.kernel`), run in a namespace of their own, and say what
they have to say as JSON after a record separator on stdout (RFC 7464), each with a `say` key.
"""
