"""What the programs that read a docker config take of it, rule by rule.

- `document`: a docker config as those programs see it; which fields Docker knows, and of which
  type, is in `core/docker_fields.py`
- `refusals`: why a program uses nothing of a whole document
- `lookups`: which login each program uses for a registry, or why none
- `judge`: both together, with what to do; the entry point

Nothing here reads a file, asks a server or starts a program. The rules come from the programs'
own source: docker/cli v29.8.0, GitLab Runner 19.4 (helpers/docker/auth/auth.go) and
containers/image 5.22 (pkg/docker/config/config.go); `tests/integration/test_consumers.py` compares
them with the programs themselves.
"""
