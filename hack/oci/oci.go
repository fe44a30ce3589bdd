// Package oci writes container images without a container engine, and pushes
// them. The same inputs give the same digest: files carry no times and no
// owners but the image's user.
package oci

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// NonRoot is the user and group every image of ours runs as.
const NonRoot = 65532

// File is one entry of an image: a program copied from Source, or a link to
// Target.
type File struct {
	Path   string // without the leading slash
	Source string
	Target string
}

// Static makes an image of static programs and nothing else.
func Static(files []File, entrypoint string) (v1.Image, error) {
	layer, err := layerOf(files)
	if err != nil {
		return nil, err
	}
	return assemble(layer, v1.Config{
		Entrypoint: []string{entrypoint},
		User:       fmt.Sprintf("%d:%d", NonRoot, NonRoot),
		Env:        []string{"PATH=/"},
	})
}

// FromTar makes an image of a root file system in a tar file.
func FromTar(file string, config v1.Config) (v1.Image, error) {
	layer, err := tarball.LayerFromFile(file, tarball.WithCompressionLevel(1), tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	return assemble(layer, config)
}

func assemble(layer v1.Layer, config v1.Config) (v1.Image, error) {
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.ConfigFile(image, &v1.ConfigFile{
		OS: "linux", Architecture: "amd64",
		Config: config,
		RootFS: v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return nil, err
	}
	return mutate.AppendLayers(image, layer)
}

func layerOf(files []File) (v1.Layer, error) {
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	for _, f := range files {
		if err := writeFile(w, f); err != nil {
			return nil, fmt.Errorf("adding %s: %w", f.Path, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buffer.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(1))
}

func writeFile(w *tar.Writer, f File) error {
	header := &tar.Header{Name: f.Path, Mode: 0o755, Uid: NonRoot, Gid: NonRoot, Typeflag: tar.TypeReg, Format: tar.FormatPAX}
	if f.Target != "" {
		header.Typeflag, header.Linkname = tar.TypeSymlink, f.Target
		return w.WriteHeader(header)
	}
	content, err := os.Open(f.Source)
	if err != nil {
		return err
	}
	defer content.Close()
	info, err := content.Stat()
	if err != nil {
		return err
	}
	header.Size = info.Size()
	if err := w.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(w, content)
	return err
}

// Transport trusts the authority in caFile beside the system's own; an empty
// name means the system's alone.
func Transport(caFile string) (http.RoundTripper, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if caFile == "" {
		return transport, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("reading the registry's authority: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("the registry's authority file holds no certificate")
	}
	transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return transport, nil
}

// Push uploads the image, unless the registry has it, and returns its reference
// by digest.
func Push(ctx context.Context, image v1.Image, repository string, transport http.RoundTripper) (string, error) {
	repo, err := name.NewRepository(repository)
	if err != nil {
		return "", err
	}
	digest, err := image.Digest()
	if err != nil {
		return "", err
	}
	ref := repo.Digest(digest.String())
	options := []remote.Option{remote.WithContext(ctx), remote.WithTransport(transport)}
	if _, err := remote.Head(ref, options...); err == nil {
		return ref.String(), nil
	}
	if err := remote.Write(ref, image, options...); err != nil {
		return "", fmt.Errorf("pushing %s: %w", repository, err)
	}
	return ref.String(), nil
}
