package vault

import (
	"context"
	"slices"
	"strings"
)

// Lock ends everybody's access to what is the tenant's: first the roles by which one signs
// in, then the database users that were handed out, then the policies. Mounts, and with them
// keys, stay. It is repeated until nothing of it is left.
//
// force forgets the users instead of dropping them, for a database that is gone.
func (c *Client) Lock(ctx context.Context, tenant string, force bool) error {
	roles, err := c.ours(ctx, c.config.AuthPath+"/role", tenant)
	if err != nil {
		return err
	}
	for _, role := range roles {
		if err := c.delete(ctx, c.config.AuthPath+"/role/"+role); err != nil {
			return err
		}
	}
	if err := c.revoke(ctx, tenant, force); err != nil {
		return err
	}
	policies, err := c.ours(ctx, "sys/policies/acl", tenant)
	if err != nil {
		return err
	}
	for _, policy := range policies {
		if err := c.delete(ctx, "sys/policies/acl/"+policy); err != nil {
			return err
		}
	}
	return nil
}

// ours lists the tenant's names below a path.
func (c *Client) ours(ctx context.Context, path, tenant string) ([]string, error) {
	names, err := c.list(ctx, path)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, RoleFor(tenant, "")) }), nil
}

// revoke drops the database users that modules still hold.
func (c *Client) revoke(ctx context.Context, tenant string, force bool) error {
	leases, err := c.list(ctx, "sys/leases/lookup/"+Mount(tenant)+"/database/creds")
	if err != nil && !absent(err) {
		return err
	}
	if len(leases) == 0 {
		return nil
	}
	path := "sys/leases/revoke-prefix/"
	if force {
		path = "sys/leases/revoke-force/"
	}
	_, err = c.write(ctx, path+Mount(tenant)+"/database/creds", map[string]any{"sync": true})
	return err
}

// Locked reports whether Lock has left nothing to do.
func (c *Client) Locked(ctx context.Context, tenant string) (bool, error) {
	for _, path := range []string{c.config.AuthPath + "/role", "sys/policies/acl"} {
		names, err := c.ours(ctx, path, tenant)
		if err != nil || len(names) > 0 {
			return false, err
		}
	}
	return true, nil
}

// Destroy unmounts everything of the tenant, and with it destroys its keys: what they
// encrypted can never be read again, wherever a copy of it lies.
func (c *Client) Destroy(ctx context.Context, tenant string) error {
	if err := c.Lock(ctx, tenant, true); err != nil {
		return err
	}
	mounts, err := c.mountsOf(ctx, tenant)
	if err != nil {
		return err
	}
	for _, mount := range mounts {
		if err := c.delete(ctx, "sys/mounts/"+mount); err != nil {
			return err
		}
	}
	return nil
}

// Destroyed reports whether Destroy has left nothing to do.
func (c *Client) Destroyed(ctx context.Context, tenant string) (bool, error) {
	mounts, err := c.mountsOf(ctx, tenant)
	if err != nil || len(mounts) > 0 {
		return false, err
	}
	return c.Locked(ctx, tenant)
}

func (c *Client) mountsOf(ctx context.Context, tenant string) ([]string, error) {
	there, err := c.read(ctx, "sys/mounts")
	if err != nil {
		return nil, err
	}
	var mounts []string
	for path := range there {
		if strings.HasPrefix(path, Mount(tenant)+"/") {
			mounts = append(mounts, strings.TrimSuffix(path, "/"))
		}
	}
	slices.Sort(mounts)
	return mounts, nil
}
