package charts

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"ejustice.dev/operator/api/v1alpha1"
)

func TestPull(t *testing.T) {
	var requests atomic.Int64
	var swap atomic.Pointer[string] // content to serve instead of any blob
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if content := swap.Load(); content != nil && strings.Contains(r.URL.Path, "/blobs/") {
			_, _ = io.WriteString(w, *content)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	defer server.Close()
	transport := server.Client().Transport

	content := archive(t, "apiVersion: v2\nname: module\nversion: 0.1.0\n")
	good := push(t, server, layerMediaType, content)
	puller := &Puller{Transport: transport}
	ch, err := puller.Pull(t.Context(), good)
	if err != nil {
		t.Fatal(err)
	}
	if ch.Name() != "module" {
		t.Errorf("name = %s", ch.Name())
	}
	before := requests.Load()
	if _, err := puller.Pull(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	if requests.Load() != before {
		t.Error("a chart that is known was fetched again")
	}

	tests := []struct {
		name, want string
		ref        v1alpha1.CatalogChart
		swap       string
	}{
		{name: "missing", ref: v1alpha1.CatalogChart{Ref: good.Ref, Digest: "sha256:" + strings.Repeat("0", 64)}, want: "pulling chart"},
		{name: "no reference", ref: v1alpha1.CatalogChart{Ref: "oci://", Digest: good.Digest}, want: "reading the reference"},
		{name: "not a chart", ref: push(t, server, "application/octet-stream", []byte("x")), want: "is not a Helm chart"},
		{name: "not an archive", ref: push(t, server, layerMediaType, []byte("x")), want: "loading chart"},
		{name: "too large", ref: push(t, server, layerMediaType, make([]byte, maxChartBytes+1)), want: "larger than"},
		{name: "other content than promised", ref: good, swap: strings.Repeat("x", len(content)), want: "error verifying sha256"},
		{name: "content of another length", ref: good, swap: "x", want: "expected size"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if tc.swap != "" {
				swap.Store(&tc.swap)
				defer swap.Store(nil)
			}
			fresh := &Puller{Transport: transport}
			_, err := fresh.Pull(t.Context(), tc.ref)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("err = %v, want it to say %q", err, tc.want)
			}
		})
	}
}

func push(t *testing.T, server *httptest.Server, mediaType types.MediaType, content []byte) v1alpha1.CatalogChart {
	t.Helper()
	image, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), static.NewLayer(content, mediaType))
	if err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	repository := strings.TrimPrefix(server.URL, "https://") + "/charts/module"
	ref, err := name.NewDigest(repository + "@" + digest.String())
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image, remote.WithTransport(server.Client().Transport)); err != nil {
		t.Fatal(err)
	}
	return v1alpha1.CatalogChart{Ref: "oci://" + repository, Digest: digest.String()}
}

func archive(t *testing.T, chartYAML string) []byte {
	t.Helper()
	var out bytes.Buffer
	zipper := gzip.NewWriter(&out)
	writer := tar.NewWriter(zipper)
	if err := writer.WriteHeader(&tar.Header{Name: "module/Chart.yaml", Mode: 0o644, Size: int64(len(chartYAML))}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(writer, chartYAML); err != nil {
		t.Fatal(err)
	}
	for _, closer := range []io.Closer{writer, zipper} {
		if err := closer.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}
