//go:build e2e

package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"ejustice.dev/operator/api/v1alpha1"
	"github.com/google/uuid"
	"github.com/hashicorp/vault/api"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/tink-crypto/tink-go/v2/streamingaead/subtle"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
)

// TestNothingInEtcdOpensTheTenant reads every object straight out of etcd, as somebody with a
// stolen copy of it would, and tries whatever looks like a credential on the tenant's
// database, on Vault and on a stored document. Beside each kind of attempt stands one with the
// real thing, which must succeed.
func TestNothingInEtcdOpensTheTenant(t *testing.T) {
	jt := secretsTenant(t)
	namespace := v1alpha1.NamespaceFor(jt.Name)
	fileConcurrently(t, namespace, "etcd", 1, func(int) {})
	found := searchEtcd(t)
	t.Logf("%d objects, %d values that look like a credential, %d of them from Secrets, %d keys with a certificate",
		found.objects, len(found.values), len(found.fromSecrets), len(found.pairs))
	if found.objects < 500 || len(found.fromSecrets) < 10 || len(found.pairs) < 3 {
		t.Fatal("the search saw too little to prove anything")
	}
	db := &postgres{namespace: namespace, database: "e2e_secrets_casemanagement"}
	defer db.close()

	t.Run("no password", func(t *testing.T) {
		user, password := issuedUser(t, jt.Name)
		if err := db.try(t.Context(), attempt{user: user, password: password}); err != nil {
			t.Fatalf("not even Vault's own user gets in: %v", err)
		}
		// A user that Vault made is the only kind that may sign in by password.
		attempts := make([]attempt, 0, 2*len(found.values))
		for _, value := range found.values {
			attempts = append(attempts, attempt{user: user, password: value})
		}
		for _, value := range found.fromSecrets {
			for _, user := range []string{"e2e_secrets_casemanagement", "vault", "postgres", "streaming_replica"} {
				attempts = append(attempts, attempt{user: user, password: value})
			}
		}
		db.tryAll(t, attempts)
		if err := db.try(t.Context(), attempt{user: user, password: password}); err != nil {
			t.Errorf("the user that was tried is gone, so the attempts proved nothing: %v", err)
		}
	})

	t.Run("no certificate", func(t *testing.T) {
		certificate := issuedCertificate(t, jt.Name)
		if err := db.try(t.Context(), attempt{user: "vault", database: "postgres", certificate: certificate}); err != nil {
			t.Fatalf("not even Vault's own certificate gets in: %v", err)
		}
		var attempts []attempt
		for _, pair := range found.pairs {
			for _, user := range []string{"vault", "postgres", "streaming_replica", "e2e_secrets_casemanagement", pair.name} {
				for _, database := range []string{"postgres", "e2e_secrets_casemanagement"} {
					attempts = append(attempts, attempt{user: user, database: database, certificate: &pair.certificate})
				}
				attempts = append(attempts, attempt{user: user, replication: true, certificate: &pair.certificate})
			}
		}
		db.tryAll(t, attempts)
	})

	t.Run("no token of Vault", func(t *testing.T) {
		if err := lookup(t, rootToken(t)); err != nil {
			t.Fatalf("not even a real token is one: %v", err)
		}
		for _, value := range found.fromSecrets {
			if lookup(t, value) == nil {
				t.Error("a value of a Secret is a token of Vault")
			}
		}
	})

	t.Run("no key of a document", func(t *testing.T) {
		document, sealed, wrapped := storedDocument(t, db, jt.Name)
		if text, err := open(unwrapped(t, jt.Name, wrapped), document, sealed); err != nil || !strings.HasPrefix(text, "Statement of claim") {
			t.Fatalf("not even the real key opens the document: %q, %v", text, err)
		}
		keys := 0
		for _, value := range found.values {
			for _, key := range asKey(value) {
				keys++
				if _, err := open(key, document, sealed); err == nil {
					t.Error("a value in etcd opens a document")
				}
			}
		}
		t.Logf("%d values could be a key", keys)
	})
}

// loot is what a search of etcd brought.
type loot struct {
	objects             int
	values, fromSecrets []string
	pairs               []keyPair
}

// keyPair is a private key with a certificate that fits it.
type keyPair struct {
	name        string // its common name
	certificate tls.Certificate
}

// searchEtcd reads all objects past the apiserver.
func searchEtcd(t *testing.T) loot {
	t.Helper()
	values, secret := map[string]bool{}, map[string]bool{}
	var found loot
	for _, object := range readEtcd(t) {
		found.objects++
		inSecret := strings.HasPrefix(object.key, "/registry/secrets/")
		for _, leaf := range leaves(object.value) {
			if inSecret && len(leaf) >= 6 {
				secret[leaf] = true
			}
			if inSecret && len(leaf) >= 6 || looksSecret(leaf) {
				values[leaf] = true
			}
		}
	}
	for value := range values {
		found.values = append(found.values, value)
	}
	for value := range secret {
		found.fromSecrets = append(found.fromSecrets, value)
	}
	found.pairs = pairs(found.values)
	return found
}

// pairs puts every private key together with every certificate that it fits.
func pairs(values []string) []keyPair {
	var out []keyPair
	for _, key := range values {
		if !strings.Contains(key, "PRIVATE KEY") {
			continue
		}
		for _, certificate := range values {
			if !strings.Contains(certificate, "BEGIN CERTIFICATE") {
				continue
			}
			if pair, err := tls.X509KeyPair([]byte(certificate), []byte(key)); err == nil {
				leaf, err := x509.ParseCertificate(pair.Certificate[0])
				if err == nil {
					out = append(out, keyPair{leaf.Subject.CommonName, pair})
				}
			}
		}
	}
	return out
}

type stored struct {
	key   string
	value []byte
}

// readEtcd asks etcd itself, over the JSON form of its interface.
func readEtcd(t *testing.T) []stored {
	t.Helper()
	pki := os.Getenv("EJUSTICE_PKI")
	authority, err := os.ReadFile(filepath.Join(pki, "etcd-ca.crt"))
	if err != nil {
		t.Fatalf("EJUSTICE_PKI must name the folder with the keys to etcd: %v", err)
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(pki, "apiserver-etcd.crt"), filepath.Join(pki, "apiserver-etcd.key"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	etcd := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}}}
	body, err := json.Marshal(map[string]any{"key": []byte("/registry/"), "range_end": []byte("/registry0")})
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, os.Getenv("EJUSTICE_ETCD")+"/v3/kv/range", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := etcd.Do(request)
	if err != nil {
		t.Fatalf("EJUSTICE_ETCD must be the address of etcd: %v", err)
	}
	defer response.Body.Close()
	var answer struct {
		KVs []struct{ Key, Value []byte } `json:"kvs"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	objects := make([]stored, 0, len(answer.KVs))
	for _, kv := range answer.KVs {
		objects = append(objects, stored{string(kv.Key), kv.Value})
	}
	return objects
}

var printable = regexp.MustCompile(`[!-~]{8,}`)

// leaves are all texts in a stored object, and what is encoded or compressed in them.
func leaves(value []byte) []string {
	var content any
	if json.Unmarshal(value, &content) != nil {
		object, _, err := clientgoscheme.Codecs.UniversalDeserializer().Decode(value, nil, nil)
		if err != nil {
			return printable.FindAllString(string(value), -1) // a kind without a Go type here
		}
		plain, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			return printable.FindAllString(string(value), -1)
		}
		content = plain
	}
	var out []string
	walk(content, &out)
	return out
}

func walk(content any, out *[]string) {
	switch x := content.(type) {
	case map[string]any:
		for key, child := range x {
			if key != "managedFields" {
				walk(child, out)
			}
		}
	case []any:
		for _, child := range x {
			walk(child, out)
		}
	case string:
		*out = append(*out, x)
		if nested, err := base64.StdEncoding.DecodeString(x); err == nil && len(nested) > 0 {
			walk(string(unzipped(nested)), out)
			return
		}
		var nested any
		if (strings.HasPrefix(x, "{") || strings.HasPrefix(x, "[")) && json.Unmarshal([]byte(x), &nested) == nil {
			walk(nested, out)
		}
	}
}

func unzipped(b []byte) []byte {
	reader, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return b
	}
	plain, err := io.ReadAll(reader)
	if err != nil {
		return b
	}
	return plain
}

// looksSecret reports whether the text could have been made to be unguessable.
func looksSecret(text string) bool {
	if strings.Contains(text, "PRIVATE KEY") || strings.Contains(text, "BEGIN CERTIFICATE") {
		return true
	}
	if len(text) < 12 || len(text) > 512 || strings.ContainsAny(text, " \n/") {
		return false
	}
	counts := map[rune]float64{}
	for _, r := range text {
		counts[r]++
	}
	entropy := 0.0
	for _, n := range counts {
		p := n / float64(len(text))
		entropy -= p * math.Log2(p)
	}
	return entropy > 3.2 && strings.ContainsAny(text, "0123456789")
}

// asKey are the ways in which a text can be a key of 32 bytes.
func asKey(text string) [][]byte {
	var keys [][]byte
	candidates := [][]byte{[]byte(text)}
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if b, err := encoding.DecodeString(text); err == nil {
			candidates = append(candidates, b)
		}
	}
	for _, key := range candidates {
		if len(key) == 32 {
			keys = append(keys, key)
		}
	}
	return keys
}

// postgres reaches the tenant's database through a tunnel that ends inside its pod: no network
// policy is in the way of the attempts. A tunnel goes down with a connection in it that the
// server breaks off; the next attempt then takes another.
type postgres struct {
	namespace, database string
	address             string
	closeTunnel         func()
}

type attempt struct {
	user, password, database string
	replication              bool
	certificate              *tls.Certificate
}

// connect returns the connection, and what ends it.
func (p *postgres) connect(ctx context.Context, a attempt) (conn *pgx.Conn, end func(), err error) {
	for range 5 {
		if p.closeTunnel == nil {
			if p.address, p.closeTunnel, err = cluster.Tunnel(ctx, p.namespace, "database-1", 5432); err != nil {
				return nil, nil, err
			}
		}
		conn, err = connectTo(ctx, p.address, p.database, a)
		var answer *pgconn.PgError
		if err == nil || errors.As(err, &answer) || distrusted(err) {
			break
		}
		p.close()
	}
	if err != nil {
		return nil, nil, err
	}
	return conn, func() { _ = conn.Close(context.WithoutCancel(ctx)) }, nil
}

func (p *postgres) close() {
	if p.closeTunnel != nil {
		p.closeTunnel()
	}
	p.closeTunnel = nil
}

// distrusted reports whether the server ended the connection over the certificate, before it
// heard of a user.
func distrusted(err error) bool {
	return slices.ContainsFunc([]string{"unknown certificate authority", "unsupported certificate", "bad certificate", "decrypt error"}, func(alert string) bool {
		return strings.Contains(err.Error(), alert)
	})
}

func connectTo(ctx context.Context, address, database string, a attempt) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig("postgres://" + address + "/?sslmode=require")
	if err != nil {
		return nil, err
	}
	config.User, config.Password, config.Database = a.user, a.password, a.database
	if a.database == "" {
		config.Database = database
	}
	if a.replication {
		config.RuntimeParams["replication"] = "true"
		config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	}
	if a.certificate != nil {
		config.TLSConfig.Certificates = []tls.Certificate{*a.certificate}
	}
	return pgx.ConnectConfig(ctx, config)
}

func (p *postgres) try(ctx context.Context, a attempt) error {
	_, end, err := p.connect(ctx, a)
	if err != nil {
		return err
	}
	end()
	return nil
}

// tryAll fails the test if one gets in, or if one fails for another reason than a refusal.
func (p *postgres) tryAll(t *testing.T, attempts []attempt) {
	t.Helper()
	queue := make(chan attempt, len(attempts))
	for _, a := range attempts {
		queue <- a
	}
	close(queue)
	var (
		workers sync.WaitGroup
		refused atomic.Int64
		mu      sync.Mutex
		others  = map[string]int{}
	)
	for range 8 {
		workers.Go(func() {
			own := &postgres{namespace: p.namespace, database: p.database}
			defer own.close()
			for a := range queue {
				err := own.try(t.Context(), a)
				var answer *pgconn.PgError
				switch {
				case err == nil:
					t.Errorf("signed in as %s (by certificate: %t, replication: %t)", a.user, a.certificate != nil, a.replication)
				case distrusted(err), errors.As(err, &answer) && strings.HasPrefix(answer.Code, "28"):
					refused.Add(1)
				default:
					mu.Lock()
					others[err.Error()]++
					mu.Unlock()
				}
			}
		})
	}
	workers.Wait()
	t.Logf("%d attempts, %d refused", len(attempts), refused.Load())
	for err, times := range others {
		t.Errorf("%d attempts were not made: %s", times, err)
	}
}

// storedDocument returns the newest document as it lies in the database, and its wrapped key.
func storedDocument(t *testing.T, db *postgres, tenantName string) (id uuid.UUID, sealed []byte, wrapped string) {
	t.Helper()
	user, password := issuedUser(t, tenantName)
	conn, end, err := db.connect(t.Context(), attempt{user: user, password: password})
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	if err := conn.QueryRow(t.Context(), `SELECT c.id, c.content, k.wrapped FROM document_content c JOIN data_key k ON k.id = c.key_id
		ORDER BY k.created_at DESC LIMIT 1`).Scan(&id, &sealed, &wrapped); err != nil {
		t.Fatal(err)
	}
	return id, sealed, wrapped
}

// open decrypts a stored document the way the module does.
func open(key []byte, document uuid.UUID, sealed []byte) (string, error) {
	aead, err := subtle.NewAESGCMHKDF(key, "SHA256", 32, 256<<10, 0)
	if err != nil {
		return "", err
	}
	reader, err := aead.NewDecryptingReader(bytes.NewReader(sealed), document[:])
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(reader)
	return string(text), err
}

// unwrapped has Vault open a data key, as root.
func unwrapped(t *testing.T, tenantName, wrapped string) []byte {
	t.Helper()
	secret := asRoot(t, func(root *api.Client) (*api.Secret, error) {
		return root.Logical().WriteWithContext(t.Context(), "tenants/"+tenantName+"/transit/decrypt/"+module, map[string]any{"ciphertext": wrapped})
	})
	key, err := base64.StdEncoding.DecodeString(fmt.Sprint(secret.Data["plaintext"]))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issuedUser has Vault make a user of the tenant's database, as it does for the module.
func issuedUser(t *testing.T, tenantName string) (user, password string) {
	t.Helper()
	// The user ends with the token that asked for it.
	root := vaultClient(t)
	root.SetToken(rootToken(t))
	secret, err := root.Logical().ReadWithContext(t.Context(), "tenants/"+tenantName+"/database/creds/"+module)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(secret.Data["username"]), fmt.Sprint(secret.Data["password"])
}

// issuedCertificate has Vault make the certificate that it itself signs in with.
func issuedCertificate(t *testing.T, tenantName string) *tls.Certificate {
	t.Helper()
	secret := asRoot(t, func(root *api.Client) (*api.Secret, error) {
		return root.Logical().WriteWithContext(t.Context(), "tenants/"+tenantName+"/pki/issue/vault", map[string]any{"common_name": "vault", "ttl": "10m"})
	})
	pair, err := tls.X509KeyPair([]byte(fmt.Sprint(secret.Data["certificate"])), []byte(fmt.Sprint(secret.Data["private_key"])))
	if err != nil {
		t.Fatal(err)
	}
	return &pair
}

// certificateOf is a certificate that lies in a Secret.
func pairOf(t *testing.T, certificate, key []byte) tls.Certificate {
	t.Helper()
	if block, _ := pem.Decode(certificate); block == nil {
		t.Fatal("the Secret holds no certificate")
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}
