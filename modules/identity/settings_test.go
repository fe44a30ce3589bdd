package identity

import (
	"net/url"
	"strings"
	"testing"
)

func TestSettingsOfTheChart(t *testing.T) {
	s := testSettings(t)
	if s.prefix != "/identity" || s.Sessions.idle().Minutes() != 30 || s.Sessions.whole().Hours() != 12 || s.FirstAdministrator.Login != "administrator" {
		t.Errorf("settings = %+v", s)
	}
	if c, found := s.client("casemanagement"); !found || c.Certificate != "casemanagement.justice-palestine.svc" {
		t.Errorf("client = %+v", c)
	}
}

func TestSettingsNameWhatIsWrong(t *testing.T) {
	client := func(c map[string]any, i int) map[string]any { return c["clients"].([]any)[i].(map[string]any) }
	for want, change := range map[string]func(map[string]any){
		"issuer must":                   func(c map[string]any) { c["issuer"] = "http://courts.example.ps/identity" },
		"issuer must be":                func(c map[string]any) { c["issuer"] = "https://courts.example.ps/identity/" },
		"courts[0].code":                func(c map[string]any) { c["courts"].([]any)[0].(map[string]any)["code"] = "ram" },
		"courts[1].code":                func(c map[string]any) { c["courts"].([]any)[1].(map[string]any)["code"] = "RAM-SOLH" },
		"courts[0].names":               func(c map[string]any) { delete(c["courts"].([]any)[0].(map[string]any), "names") },
		"clients[0].id":                 func(c map[string]any) { client(c, 0)["id"] = "A B" },
		"clients[1].id is used twice":   func(c map[string]any) { client(c, 1)["id"] = "casemanagement" },
		"clients[0].redirectURIs must":  func(c map[string]any) { client(c, 0)["redirectURIs"] = []any{} },
		"clients[0].redirectURIs[0]":    func(c map[string]any) { client(c, 0)["redirectURIs"] = []any{"https://*.example.ps/"} },
		"clients[0].postLogoutRedirect": func(c map[string]any) { client(c, 0)["postLogoutRedirectURIs"] = []any{"/"} },
		"clients[0].authentication":     func(c map[string]any) { client(c, 0)["authentication"] = "client_secret_basic" },
		"clients[0].secret":             func(c map[string]any) { client(c, 0)["secret"] = "x" },
		"clients[0].certificate":        func(c map[string]any) { delete(client(c, 0), "certificate") },
		"clients[1].certificate":        func(c map[string]any) { client(c, 1)["certificate"] = "a.b" },
		"clients[1].keys must":          func(c map[string]any) { client(c, 1)["authentication"] = "private_key_jwt" },
		"clients[1].keys[0]": func(c map[string]any) {
			client(c, 1)["authentication"] = "private_key_jwt"
			client(c, 1)["keys"] = []any{map[string]any{"id": "k", "pem": "x"}}
		},
		"sessions.idleMinutes":     func(c map[string]any) { c["sessions"] = map[string]any{"idleMinutes": 2000} },
		"sessions.hours":           func(c map[string]any) { c["sessions"] = map[string]any{"hours": 25} },
		"firstAdministrator.login": func(c map[string]any) { c["firstAdministrator"] = map[string]any{"login": "A b"} },
		"tenant.country":           func(c map[string]any) { c["tenant"].(map[string]any)["country"] = "ps" },
	} {
		config := testConfig(t)
		change(config)
		if _, err := readConfig(t, config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want it to name %q", err, want)
		}
	}
}

// Whatever is accepted is read the same way by a browser: it goes to the named
// host, by https.
func FuzzAddresses(f *testing.F) {
	for _, text := range []string{
		"https://courts.example.ps/signed-in", "https://a.b:8443/x?y=z", "https://a.b/%2e%2e/x", `https://a.b\@c.d/`, "https://u@a.b/",
		"https://a.b#", "javascript:alert(1)", "//a.b", "https:a.b", "https://a.b/../c", "https://*.b/", "https:///x", "https://a.b/\x00", "https://é.b/",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if checkAddress(text) != nil {
			return
		}
		address, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(strings.ToLower(text), "https://"+address.Host) || address.Host == "" || strings.ContainsAny(address.Host, "@\\/#? ") {
			t.Errorf("accepted %q", text)
		}
		if strings.ContainsAny(text, "\\#\r\n\t ") || strings.Contains(text, "@") && strings.Index(text, "@") < strings.Index(text[8:]+"/", "/")+8 {
			t.Errorf("accepted %q", text)
		}
	})
}
