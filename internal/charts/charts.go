// Package charts pulls Helm charts from OCI registries by digest.
package charts

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"

	"ejustice.dev/operator/api/v1alpha1"
)

const (
	layerMediaType = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"

	maxChartBytes = 1 << 20 // a chart must fit into a Helm release Secret, which holds 1 MiB
	maxCached     = 64      // charts; a release has a few, and old ones are asked for rarely
)

// Puller fetches charts and remembers their bytes. The digest in the reference is checked
// over every byte received, so that a registry cannot hand out anything else.
type Puller struct {
	// Transport carries the requests; nil means Go's default with the system's
	// certificate authorities (SSL_CERT_FILE, SSL_CERT_DIR).
	Transport http.RoundTripper

	mu    sync.Mutex
	cache map[string][]byte // by digest
}

// Pull returns the chart. Every call decodes it anew, because Helm changes charts in use.
func (p *Puller) Pull(ctx context.Context, ref v1alpha1.CatalogChart) (*chart.Chart, error) {
	archive, ok := p.cached(ref.Digest)
	if !ok {
		var err error
		if archive, err = p.fetch(ctx, ref); err != nil {
			return nil, fmt.Errorf("pulling chart %s@%s: %w", ref.Ref, ref.Digest, err)
		}
		p.remember(ref.Digest, archive)
	}
	ch, err := loader.LoadArchive(bytes.NewReader(archive))
	if err != nil {
		return nil, fmt.Errorf("loading chart %s@%s: %w", ref.Ref, ref.Digest, err)
	}
	return ch, nil
}

func (p *Puller) fetch(ctx context.Context, chartRef v1alpha1.CatalogChart) ([]byte, error) {
	ref, err := name.NewDigest(strings.TrimPrefix(chartRef.Ref, "oci://") + "@" + chartRef.Digest)
	if err != nil {
		return nil, fmt.Errorf("reading the reference: %w", err)
	}
	options := []remote.Option{remote.WithContext(ctx)}
	if p.Transport != nil {
		options = append(options, remote.WithTransport(p.Transport))
	}
	image, err := remote.Image(ref, options...)
	if err != nil {
		return nil, err
	}
	layer, err := chartLayer(image)
	if err != nil {
		return nil, err
	}
	content, err := layer.Compressed()
	if err != nil {
		return nil, fmt.Errorf("opening the chart layer: %w", err)
	}
	defer content.Close()
	archive, err := io.ReadAll(io.LimitReader(content, maxChartBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading the chart layer: %w", err)
	}
	if len(archive) > maxChartBytes {
		return nil, fmt.Errorf("the chart is larger than %d bytes", maxChartBytes)
	}
	return archive, nil
}

func chartLayer(image v1.Image) (v1.Layer, error) {
	layers, err := image.Layers()
	if err != nil {
		return nil, fmt.Errorf("reading the manifest: %w", err)
	}
	for _, layer := range layers {
		mediaType, err := layer.MediaType()
		if err != nil {
			return nil, fmt.Errorf("reading a layer's media type: %w", err)
		}
		if string(mediaType) == layerMediaType {
			return layer, nil
		}
	}
	return nil, fmt.Errorf("the reference is not a Helm chart: it has no layer of type %s", layerMediaType)
}

func (p *Puller) cached(digest string) ([]byte, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	archive, ok := p.cache[digest]
	return archive, ok
}

func (p *Puller) remember(digest string, archive []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cache == nil || len(p.cache) >= maxCached {
		p.cache = map[string][]byte{}
	}
	p.cache[digest] = archive
}
