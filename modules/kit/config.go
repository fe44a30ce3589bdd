package kit

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"time"

	"golang.org/x/text/language"
)

// Env is the part of the configuration that differs from pod to pod and comes
// from the environment.
type Env struct {
	Serving
	Store
}

// Store is where a module keeps its data and the keys to it.
type Store struct {
	Database Database
	Vault    VaultSettings
}

// Database says where the module's database is. Who connects is asked of
// Credentials.
type Database struct {
	Host    string
	Port    uint16
	Name    string
	SSLMode string
	// RootCert is the file of the authority that the server's certificate is
	// checked against, read again for each new connection; the public
	// authorities when empty.
	RootCert string
}

// VaultSettings says where Vault is and as whom the module signs in.
type VaultSettings struct {
	Address string
	// CACert is the file of the authority of Vault's certificate; the public
	// authorities when empty.
	CACert string
	// LoginPath takes {"role", "jwt"}, for example auth/kubernetes/login.
	LoginPath string
	Role      string
	// JWTFile is the pod's own short-lived token; the kubelet exchanges it.
	JWTFile string
	// Mount is the prefix of the tenant's engines.
	Mount string
	// Name of the module: its database role and its transit key.
	Name string
}

// ReadEnv reads the environment through get (os.Getenv outside tests) and
// names every variable that is missing or wrong.
func ReadEnv(get func(string) string) (Env, error) {
	serving, servingErr := ReadServing(get)
	store, storeErr := readStore(get)
	return Env{serving, store}, errors.Join(servingErr, storeErr)
}

// ReadMigrationEnv reads the environment of a migration: the store, seen by its
// owner, and the role that the module works in.
func ReadMigrationEnv(get func(string) string) (store Store, runtime string, err error) {
	store, err = readStore(get)
	if runtime = get("DATABASE_RUNTIME_ROLE"); runtime == "" {
		err = errors.Join(err, errors.New("environment variable DATABASE_RUNTIME_ROLE is required"))
	}
	return store, runtime, err
}

func readStore(get func(string) string) (Store, error) {
	var faults []error
	required := func(name string) string {
		value := get(name)
		if value == "" {
			faults = append(faults, fmt.Errorf("environment variable %s is required", name))
		}
		return value
	}
	optional := func(name, fallback string) string {
		if value := get(name); value != "" {
			return value
		}
		return fallback
	}
	store := Store{
		Database: Database{
			Host:     required("DATABASE_HOST"),
			Name:     required("DATABASE_NAME"),
			SSLMode:  optional("DATABASE_SSLMODE", "verify-full"),
			RootCert: get("DATABASE_ROOT_CERT"),
		},
		Vault: VaultSettings{
			Address:   required("VAULT_ADDR"),
			CACert:    get("VAULT_CACERT"),
			LoginPath: required("VAULT_LOGIN_PATH"),
			Role:      required("VAULT_ROLE"),
			JWTFile:   required("VAULT_JWT_FILE"),
			Mount:     required("VAULT_MOUNT"),
			Name:      required("VAULT_NAME"),
		},
	}
	port, err := strconv.ParseUint(optional("DATABASE_PORT", "5432"), 10, 16)
	if err != nil {
		faults = append(faults, errors.New("environment variable DATABASE_PORT must be a port number"))
	}
	store.Database.Port = uint16(port)
	if store.Database.RootCert != "" && store.Database.SSLMode != "verify-full" {
		faults = append(faults, errors.New("environment variable DATABASE_SSLMODE must be verify-full when there is a DATABASE_ROOT_CERT"))
	}
	return store, errors.Join(faults...)
}

// ReadConfig decodes the JSON file at path into a pointer to a struct. See
// DecodeJSON for how strict it is.
func ReadConfig(path string, into any) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open configuration: %w", err)
	}
	defer file.Close()
	if err := DecodeJSON(file, into); err != nil {
		return fmt.Errorf("configuration %s: %w", path, err)
	}
	return nil
}

// Tenant is what every module knows of the tenant it serves.
type Tenant struct {
	Name         string            `json:"name"`
	Country      string            `json:"country"`
	Languages    []string          `json:"languages"`
	TimeZone     string            `json:"timeZone"`
	Domain       string            `json:"domain"`
	DisplayNames map[string]string `json:"displayNames"`
}

var countryCode = regexp.MustCompile(`^[A-Z]{2}$`)

// Validate adds the tenant's faults to errs, each path beginning with "tenant.".
func (t Tenant) Validate(errs *FieldErrors) {
	if t.Name == "" {
		errs.Add("tenant.name", "is required")
	}
	if !countryCode.MatchString(t.Country) {
		errs.Add("tenant.country", "must be a country code of two capital letters")
	}
	if len(t.Languages) == 0 {
		errs.Add("tenant.languages", "must name at least one language")
	}
	for i, tag := range t.Languages {
		if _, err := language.Parse(tag); err != nil {
			errs.Add(fmt.Sprintf("tenant.languages[%d]", i), "is not a language tag")
		}
	}
	if t.TimeZone == "" {
		errs.Add("tenant.timeZone", "is required")
	} else if _, err := time.LoadLocation(t.TimeZone); err != nil {
		errs.Add("tenant.timeZone", "is not a time zone")
	}
	if len(t.DisplayNames) == 0 {
		errs.Add("tenant.displayNames", "must have at least one name")
	}
}

// Location is the tenant's time zone. Call it on a validated tenant.
func (t Tenant) Location() *time.Location {
	location, err := time.LoadLocation(t.TimeZone)
	if err != nil {
		return time.UTC
	}
	return location
}
