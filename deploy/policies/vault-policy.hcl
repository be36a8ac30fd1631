# What rotator needs in Vault or OpenBao, and no more. Keep the parts that you use, put your own
# paths in, and write it with: vault policy write rotator vault-policy.hcl
# The mount is asked for through sys/internal/ui/mounts, which needs no line of its own.

# --- source `vault`, KV 2 secret `secret/registries/harbor` (KV 1: without `data/`)
path "secret/data/registries/harbor" { capabilities = ["read"] }

# --- source `vault`, a dynamic engine's role (`method: write`: "update")
path "rabbitmq/creds/ci" { capabilities = ["read"] }

# --- target `vault_kv`, KV 2 secret `secret/fleet/docker`
path "secret/data/fleet/docker" { capabilities = ["create", "read", "update"] }

# --- the same with `keep_versions`
path "secret/metadata/fleet/docker" { capabilities = ["read"] }
path "secret/destroy/fleet/docker" { capabilities = ["update"] }

# --- ending the leases of replaced credentials; the policy `default` does not allow it
path "sys/leases/revoke" { capabilities = ["update"] }

# --- these are in the policy `default` too: needed only by logins that don't have it
path "sys/leases/renew" { capabilities = ["update"] }
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["update"] }
