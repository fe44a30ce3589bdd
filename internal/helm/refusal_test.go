package helm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
)

// The wording comes from Helm itself, so that a new version of it that says it otherwise fails here.
func TestRefusalOfIsWhatTheChartSays(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"Chart.yaml":            "apiVersion: v2\nname: refusing\nversion: 0.1.0\n",
		"templates/object.yaml": `{{ fail "courts[1].code: RAM-BID is used twice" }}`,
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	chart, err := loader.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = engine.Render(chart, chartutil.Values{})
	if err == nil {
		t.Fatal("the chart should refuse")
	}
	if got := refusalOf(err.Error()); !strings.HasPrefix(got, "courts[1].code: RAM-BID is used twice") {
		t.Errorf("got %q out of %q", got, err)
	}
	if got := refusalOf("connection refused"); got != "" {
		t.Errorf("got %q out of another error", got)
	}
}
