package kit

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"net/http"
)

// style is one sheet for both directions: nothing in it says left or right.
//
//go:embed static/style.css
var style []byte

// styleVersion changes with the content, so that browsers may keep the sheet
// for ever.
var styleVersion = func() string {
	sum := sha256.Sum256(style)
	return hex.EncodeToString(sum[:6])
}()

func serveStyle(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	// During a rolling update a page of one version may ask another for its style.
	w.Header().Set("Cache-Control", "no-cache")
	if r.PathValue("version") == styleVersion {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	// An error here means that the reader has gone.
	_ = writeCompressed(w, r, http.StatusOK, style)
}
