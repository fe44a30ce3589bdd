// Command unsealer opens the local cluster's Vault whenever it finds it sealed,
// which it is after each start of its pod. It stands in for the auto-unseal of
// production, where a key service or an HSM does this: Vault in a country's
// hands must not have its key lie in a file beside it.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

func main() {
	address := flag.String("address", "", "Vault's address")
	ca := flag.String("ca", "", "file with the authority of Vault's certificate")
	key := flag.String("key", "", "file with the unseal key")
	flag.Parse()
	for last := ""; ; time.Sleep(time.Second) {
		// It says what changes, not the same every second.
		if now := look(*address, *ca, *key); now != last {
			fmt.Println(time.Now().UTC().Format(time.RFC3339), now)
			last = now
		}
	}
}

// look reads the files anew each time: they may come after this program, and
// the authority may be renewed.
func look(address, caFile, keyFile string) string {
	client, err := clientFor(caFile)
	if err != nil {
		return err.Error()
	}
	defer client.CloseIdleConnections()
	sealed, err := ask(client, http.MethodGet, address+"/v1/sys/seal-status", nil)
	if err == nil && sealed {
		var key []byte
		if key, err = os.ReadFile(keyFile); err == nil {
			sealed, err = ask(client, http.MethodPut, address+"/v1/sys/unseal", map[string]string{"key": strings.TrimSpace(string(key))})
		}
	}
	switch {
	case err != nil:
		return err.Error()
	case sealed:
		return "Vault is sealed, and the key does not open it"
	}
	return "Vault is unsealed"
}

func clientFor(caFile string) (*http.Client, error) {
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New(caFile + " holds no certificate")
	}
	return &http.Client{
		Timeout:   2 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}},
	}, nil
}

// ask says whether Vault is sealed after the request.
func ask(client *http.Client, method, url string, body any) (sealed bool, err error) {
	b, err := json.Marshal(body)
	if err != nil {
		return false, err
	}
	request, err := http.NewRequest(method, url, bytes.NewReader(b))
	if err != nil {
		return false, err
	}
	response, err := client.Do(request)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return false, err
	}
	var status struct{ Sealed *bool }
	if response.StatusCode != http.StatusOK || json.Unmarshal(answer, &status) != nil || status.Sealed == nil {
		return false, fmt.Errorf("answer of Vault: %s: %s", response.Status, answer)
	}
	return *status.Sealed, nil
}
