# What the operator may do in Vault: build and take down the frame of tenants.
# What lies inside the frame, cases' secrets and keys in use, is not its to see.
#
# One thing Vault's community edition cannot bound is what a policy named
# tenant-* says. Whoever takes over the operator can therefore write one for
# themselves; the roles below hand it only to ServiceAccounts of tenants'
# namespaces, and the audit log shows it.

# Which mounts there are, to tell "not yet made" from "taken away".
path "sys/mounts" {
  capabilities = ["read"]
}

# Each tenant's mounts, each of its one kind.
path "sys/mounts/tenants/+/kv" {
  capabilities       = ["create", "read", "update", "delete"]
  allowed_parameters = { "type" = ["kv", "kv-v2"], "*" = [] }
}
path "sys/mounts/tenants/+/database" {
  capabilities       = ["create", "read", "update", "delete"]
  allowed_parameters = { "type" = ["database"], "*" = [] }
}
path "sys/mounts/tenants/+/transit" {
  capabilities       = ["create", "read", "update", "delete"]
  allowed_parameters = { "type" = ["transit"], "*" = [] }
}
path "sys/mounts/tenants/+/pki" {
  capabilities       = ["create", "read", "update", "delete"]
  allowed_parameters = { "type" = ["pki"], "*" = [] }
}

# One policy and one role a ServiceAccount of a tenant. A role can neither reach
# beyond tenants' namespaces nor carry a policy that is not a tenant's.
path "sys/policies/acl/tenant-*" {
  capabilities = ["create", "read", "update", "delete"]
}
path "sys/policies/acl" {
  capabilities = ["list"]
}
path "auth/kubernetes/role" {
  capabilities = ["list"]
}
path "auth/kubernetes/role/tenant-*" {
  capabilities = ["create", "read", "update", "delete"]
  allowed_parameters = {
    "bound_service_account_names"      = []
    "bound_service_account_namespaces" = ["justice-*"]
    "audience"                         = ["vault", "vault-migrate"]
    "token_policies"                   = ["tenant-*"]
    "token_ttl"                        = []
    "token_max_ttl"                    = []
    "token_no_default_policy"          = []
    "token_type"                       = []
    "alias_name_source"                = []
  }
  # "justice-a,default" would pass as one name that begins well: lists come as lists.
  denied_parameters = {
    "bound_service_account_namespaces" = ["*,*"]
    "token_policies"                   = ["*,*"]
  }
}

# The same where ServiceAccounts sign in by the jwt method instead.
path "auth/jwt/role" {
  capabilities = ["list"]
}
path "auth/jwt/role/tenant-*" {
  capabilities = ["create", "read", "update", "delete"]
  allowed_parameters = {
    "role_type"               = ["jwt"]
    "user_claim"              = ["sub"]
    "bound_subject"           = ["system:serviceaccount:justice-*"]
    "bound_audiences"         = []
    "token_policies"          = ["tenant-*"]
    "token_ttl"               = []
    "token_max_ttl"           = []
    "token_no_default_policy" = []
    "token_type"              = []
  }
  denied_parameters = {
    "token_policies" = ["*,*"]
  }
}

# Database engine: how to reach the tenant's database and which roles to make
# there; not the credentials it hands out.
path "tenants/+/database/config/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}
path "tenants/+/database/roles/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}
path "tenants/+/database/rotate-root/*" {
  capabilities = ["create", "update"]
}

# Transit keys are made, rotated and, when a tenant is deleted, destroyed; no key
# may ever be made to leave Vault.
path "tenants/+/transit/keys/*" {
  capabilities      = ["create", "read", "update", "delete", "list"]
  denied_parameters = { "exportable" = [], "allow_plaintext_backup" = [] }
}

# Certificates inside the tenant: the authority, whose key stays in Vault, and
# what may be signed. Signing is cert-manager's and the modules'.
path "tenants/+/pki/root/generate/internal" {
  capabilities = ["create", "update"]
}
# Vault's own certificate for the tenant's database: the operator asks for it and
# passes it to the database engine.
path "tenants/+/pki/issue/vault" {
  capabilities = ["create", "update"]
}
path "tenants/+/pki/roles/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}
path "tenants/+/pki/issuers" {
  capabilities = ["list"]
}
path "tenants/+/pki/cert/ca" {
  capabilities = ["read"]
}

# Deletion of a tenant ends its credentials first. Vault demands sudo for these.
path "sys/leases/revoke-prefix/tenants/*" {
  capabilities = ["create", "update", "sudo"]
}
# Of a database that is gone, credentials can only be forgotten.
path "sys/leases/revoke-force/tenants/*" {
  capabilities = ["create", "update", "sudo"]
}
path "sys/leases/lookup/tenants/*" {
  capabilities = ["list", "sudo"]
}

# Refused already by silence; said, so that no other policy given to the same
# token opens them.
path "tenants/+/kv/*" {
  capabilities = ["deny"]
}
path "tenants/+/database/creds/*" {
  capabilities = ["deny"]
}
path "tenants/+/database/static-creds/*" {
  capabilities = ["deny"]
}
path "tenants/+/transit/decrypt/*" {
  capabilities = ["deny"]
}
path "tenants/+/transit/datakey/*" {
  capabilities = ["deny"]
}
path "tenants/+/transit/export/*" {
  capabilities = ["deny"]
}
path "tenants/+/transit/backup/*" {
  capabilities = ["deny"]
}
