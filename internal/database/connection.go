package database

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	coreac "k8s.io/client-go/applyconfigurations/core/v1"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/apply"
)

// NewPassword returns a password of 32 random bytes.
func NewPassword() string {
	raw := make([]byte, 32)
	rand.Read(raw) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(raw)
}

// ConnectionSecret is the Secret through which a module finds its database. The password is
// passed in: it is made once and then always taken from the live Secret.
func ConnectionSecret(t *v1alpha1.JusticeTenant, module, password string, labels map[string]string) (apply.Object, error) {
	host, port, sslMode := endpoint(t)
	name := NameFor(t.Name, module)
	all := map[string]string{
		v1alpha1.LabelModule: module,
		"cnpg.io/reload":     "true", // CloudNativePG takes up a changed password
	}
	for k, v := range labels {
		all[k] = v
	}
	secret := coreac.Secret(SecretFor(module), v1alpha1.NamespaceFor(t.Name)).
		WithLabels(all).
		WithType(corev1.SecretTypeBasicAuth).
		WithData(map[string][]byte{
			"username": []byte(name),
			"password": []byte(password),
			"host":     []byte(host),
			"port":     []byte(strconv.Itoa(int(port))),
			"dbname":   []byte(name),
			"sslmode":  []byte(sslMode),
		})
	object, err := apply.From(secret)
	if err != nil {
		return apply.Object{}, fmt.Errorf("building the connection Secret of %s: %w", module, err)
	}
	return object, nil
}

func endpoint(t *v1alpha1.JusticeTenant) (host string, port int32, sslMode string) {
	if e := t.Spec.Database.External; e != nil {
		return e.Host, externalPort(e), externalSSLMode(e)
	}
	return ClusterName + "-rw." + v1alpha1.NamespaceFor(t.Name) + ".svc", 5432, "require"
}

func externalPort(e *v1alpha1.ExternalDatabase) int32 {
	if e.Port == 0 {
		return 5432
	}
	return e.Port
}

func externalSSLMode(e *v1alpha1.ExternalDatabase) string {
	if e.SSLMode == "" {
		return "verify-full"
	}
	return e.SSLMode
}
