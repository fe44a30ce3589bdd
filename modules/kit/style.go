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

var stylePath = "/static/" + styleVersion + "/style.css"

// ServeStyle answers if r asks for the style sheet of this version's pages: for
// modules that pass on the others. It says whether it did.
func ServeStyle(w http.ResponseWriter, r *http.Request) bool {
	if r.URL.Path != stylePath || (r.Method != http.MethodGet && r.Method != http.MethodHead) {
		return false
	}
	setSecurityHeaders(w.Header())
	serveStyle(w, r, styleVersion)
	return true
}

func serveStyle(w http.ResponseWriter, r *http.Request, version string) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	// During a rolling update a page of one version may ask another for its style.
	w.Header().Set("Cache-Control", "no-cache")
	if version == styleVersion {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	// An error here means that the reader has gone.
	_ = writeCompressed(w, r, http.StatusOK, style)
}
