package oci

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/registry"
)

// PushChart packs the Helm chart in dir and uploads it to repository, tagged
// with its version. It returns the digest of its manifest, which is the same for
// the same files.
func PushChart(ctx context.Context, dir string, meta *chart.Metadata, repository string, transport http.RoundTripper) (string, error) {
	archive, err := packChart(dir, meta.Name)
	if err != nil {
		return "", fmt.Errorf("packing chart %s: %w", meta.Name, err)
	}
	client, err := registry.NewClient(
		registry.ClientOptHTTPClient(&http.Client{Transport: transport}), registry.ClientOptWriter(io.Discard))
	if err != nil {
		return "", fmt.Errorf("making a registry client: %w", err)
	}
	result, err := client.Push(archive, repository+":"+meta.Version,
		registry.PushOptCreationTime(time.Unix(0, 0).UTC().Format(time.RFC3339)))
	if err != nil {
		return "", fmt.Errorf("pushing chart %s: %w", meta.Name, err)
	}
	return result.Manifest.Digest, ctx.Err()
}

// packChart is helm package without the times of day.
func packChart(dir, name string) ([]byte, error) {
	var buffer bytes.Buffer
	zip := gzip.NewWriter(&buffer)
	w := tar.NewWriter(zip)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Name: name + "/" + filepath.ToSlash(inside), Mode: 0o644, Size: int64(len(content))}); err != nil {
			return err
		}
		_, err = w.Write(content)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	return buffer.Bytes(), nil
}
