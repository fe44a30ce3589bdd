package vault

import (
	"net/url"
	"strconv"
)

// Access is what others are told of Vault, so that they find it themselves.
type Access struct {
	// Address of the server.
	Address string
	// AuthPath is where the sign-in method is mounted, for example auth/kubernetes.
	AuthPath string
	// Authority of the server's certificate in PEM form; nil for a public one.
	Authority []byte
}

// Port is the server's TCP port.
func (a Access) Port() int {
	u, err := url.Parse(a.Address)
	if err != nil {
		return 0
	}
	if port, err := strconv.Atoi(u.Port()); err == nil {
		return port
	}
	if u.Scheme == "http" {
		return 80
	}
	return 443
}
