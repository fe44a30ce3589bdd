package kit

import (
	"errors"
	"fmt"
	"net"
	"strings"
)

// Serving is the part of the environment that every module has, with or without
// a database.
type Serving struct {
	// ListenAddress of the requests, for example ":8443".
	ListenAddress string
	// HealthAddress of the probes and the metrics, for example ":8081".
	HealthAddress string
	// TLSDir is the folder with the module's certificate; see ReadTLS.
	TLSDir string
	// TLSClients are the names of those who may call; see Server.
	TLSClients []string
	// ConfigFile is the JSON file with the module's settings.
	ConfigFile string
}

// ReadServing reads the environment through get (os.Getenv outside tests).
func ReadServing(get func(string) string) (Serving, error) {
	or := func(name, fallback string) string {
		if value := get(name); value != "" {
			return value
		}
		return fallback
	}
	s := Serving{
		ListenAddress: or("LISTEN_ADDRESS", ":8443"),
		HealthAddress: or("HEALTH_ADDRESS", ":8081"),
		TLSDir:        get("TLS_DIR"),
		ConfigFile:    or("CONFIG_FILE", "/etc/ejustice/config.json"),
	}
	for name := range strings.SplitSeq(get("TLS_CLIENTS"), ",") {
		if name = strings.TrimSpace(name); name != "" {
			s.TLSClients = append(s.TLSClients, name)
		}
	}
	if s.TLSDir == "" {
		return s, errors.New("environment variable TLS_DIR is required")
	}
	return s, nil
}

// Listen opens the two ports.
func (s Serving) Listen() (requests, health net.Listener, err error) {
	if requests, err = net.Listen("tcp", s.ListenAddress); err != nil {
		return nil, nil, fmt.Errorf("listen for requests: %w", err)
	}
	if health, err = net.Listen("tcp", s.HealthAddress); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("listen for probes: %w", err), requests.Close())
	}
	return requests, health, nil
}
