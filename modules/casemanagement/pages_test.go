package casemanagement

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// The first view must reach an old phone on a slow link: compressed bytes.
const (
	maxHTML = 12 << 10
	maxCSS  = 9 << 10
)

// parse checks a page's form and returns its tree.
func parse(t *testing.T, page []byte) *html.Node {
	t.Helper()
	balanced(t, page)
	root, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	headings := 0
	for node := range root.Descendants() {
		if node.Type != html.ElementNode {
			continue
		}
		if node.Data == "script" || node.Data == "style" || attr(node, "style") != "" {
			t.Errorf("<%s> breaks the content security policy", node.Data)
		}
		if node.Data == "h1" {
			headings++
		}
		for _, a := range node.Attr {
			if strings.HasPrefix(a.Key, "on") {
				t.Errorf("<%s %s> is a script", node.Data, a.Key)
			}
		}
		if id := attr(node, "id"); id != "" {
			if ids[id] {
				t.Errorf("id %q appears twice", id)
			}
			ids[id] = true
		}
	}
	for node := range root.Descendants() {
		switch target := attr(node, "href"); {
		case strings.HasPrefix(target, "#") && !ids[target[1:]]:
			t.Errorf("link to %s leads nowhere", target)
		case node.Data == "input" || node.Data == "select":
			if !strings.Contains(string(page), `<label for="`+attr(node, "id")+`">`) {
				t.Errorf("field %q has no label", attr(node, "name"))
			}
		}
	}
	if headings != 1 {
		t.Errorf("%d first headings", headings)
	}
	if missing := regexp.MustCompile(`(^|[>"\s])(list|case|party|document|status|role|kind|media|error|month)\.[A-Za-z0-9.]+($|[<"\s])`).Find(page); missing != nil {
		t.Errorf("a text is missing: %s", missing)
	}
	return root
}

// balanced fails the test when a tag is not closed in order: html.Parse alone
// would mend it silently.
func balanced(t *testing.T, page []byte) {
	t.Helper()
	void := []string{"meta", "link", "input", "br", "hr", "img"}
	var open []string
	for tokens := html.NewTokenizer(bytes.NewReader(page)); ; {
		switch tokens.Next() {
		case html.ErrorToken:
			if len(open) > 0 {
				t.Errorf("never closed: %v", open)
			}
			return
		case html.StartTagToken:
			name, _ := tokens.TagName()
			if !slices.Contains(void, string(name)) {
				open = append(open, string(name))
			}
		case html.EndTagToken:
			name, _ := tokens.TagName()
			if len(open) == 0 || open[len(open)-1] != string(name) {
				t.Fatalf("</%s> closes %v", name, open)
			}
			open = open[:len(open)-1]
		}
	}
}

func attr(node *html.Node, name string) string {
	for _, a := range node.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// find returns the elements of a name.
func find(root *html.Node, name string) []*html.Node {
	var found []*html.Node
	for node := range root.Descendants() {
		if node.Type == html.ElementNode && node.Data == name {
			found = append(found, node)
		}
	}
	return found
}

func text(node *html.Node) string {
	var b strings.Builder
	for child := range node.Descendants() {
		if child.Type == html.TextNode {
			b.WriteString(child.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func TestPagesInThreeLanguages(t *testing.T) {
	s := start(t)
	c := s.file(t, filing())
	s.register(t, c.ID.String(), 201)
	hostile := filing()
	hostile["title"] = `<script>alert("x")</script>`
	s.file(t, hostile)
	for language, want := range map[string]struct{ dir, list, organisation, received, role string }{
		"en": {"ltr", "Cases", "High Judicial Council", "23 November 2026, 11:30", "Claimant"},
		"fr": {"ltr", "Affaires", "Conseil supérieur de la magistrature", "23 novembre 2026 à 11:30", "Demandeur"},
		"ar": {"rtl", "الدعاوى", "مجلس القضاء الأعلى", "23 تشرين الثاني/نوفمبر 2026، الساعة 11:30", "مدعٍ"},
	} {
		t.Run(language, func(t *testing.T) {
			answer := s.call(t, http.MethodGet, "/?lang="+language, nil)
			if answer.status != 200 || answer.header.Get("Content-Language") != language || answer.header.Get("Cache-Control") != "no-store" {
				t.Errorf("status %d, %v", answer.status, answer.header)
			}
			root := parse(t, answer.body)
			page := find(root, "html")[0]
			if attr(page, "lang") != language || attr(page, "dir") != want.dir {
				t.Errorf("<html lang=%q dir=%q>", attr(page, "lang"), attr(page, "dir"))
			}
			if got := text(find(root, "h1")[0]); got != want.list {
				t.Errorf("heading %q", got)
			}
			if got := text(find(root, "title")[0]); !strings.Contains(got, want.organisation) {
				t.Errorf("title %q", got)
			}
			if rows := find(find(root, "tbody")[0], "tr"); len(rows) != 2 {
				t.Errorf("%d rows", len(rows))
			}
			current := 0
			for _, link := range find(find(root, "header")[0], "a") {
				if attr(link, "aria-current") == "true" && attr(link, "hreflang") == language {
					current++
				}
			}
			if current != 1 {
				t.Error("the language switch does not show the language")
			}

			answer = s.call(t, http.MethodGet, "/cases/"+c.ID.String()+"?lang="+language, nil)
			root = parse(t, answer.body)
			for _, part := range []string{want.received, want.role, "أحمد عبد الرحمن الخطيب", "Ahmad Abd el-Rahman al-Khatib", "1/2026", c.Documents[0].SHA256[:16], "PDF", "Asia/Hebron"} {
				if !strings.Contains(text(root), part) {
					t.Errorf("the case page lacks %q", part)
				}
			}
			isolated := ""
			for _, node := range find(root, "bdi") {
				isolated += text(node) + "\n"
			}
			for _, part := range []string{c.FilingNumber, "1/2026", c.Parties[0].Name, c.Parties[0].RepresentedBy, c.Documents[0].Name, c.Title} {
				if !strings.Contains(isolated, part+"\n") {
					t.Errorf("%q is not isolated from the direction around it", part)
				}
			}

			for path, status := range map[string]int{"/cases/" + strings.Repeat("0", 36): 404, "/nowhere": 404, "/?cursor=x": 400} {
				answer = s.call(t, http.MethodGet, path, nil, "Accept-Language", language)
				if root = parse(t, answer.body); answer.status != status || attr(find(root, "html")[0], "lang") != language {
					t.Errorf("%s: status %d in %s", path, answer.status, attr(find(root, "html")[0], "lang"))
				}
			}
		})
	}
	if answer := s.call(t, http.MethodGet, "/", nil, "Cookie", "lang=fr", "Accept-Language", "en"); answer.header.Get("Content-Language") != "fr" {
		t.Error("the cookie does not decide")
	}
}

func TestListPageSearchesAndPages(t *testing.T) {
	s := start(t)
	if root := parse(t, s.call(t, http.MethodGet, "/?lang=en", nil).body); !strings.Contains(text(root), "No case has been filed yet.") {
		t.Error("the empty list does not say so")
	}
	for range 25 {
		s.file(t, filing())
	}
	first := parse(t, s.call(t, http.MethodGet, "/?lang=en&court=RAM-SOLH", nil).body)
	next := ""
	for _, link := range find(first, "a") {
		if attr(link, "rel") == "next" {
			next = attr(link, "href")
		}
	}
	if len(find(find(first, "tbody")[0], "tr")) != 20 || !strings.Contains(next, "court=RAM-SOLH") {
		t.Fatalf("next page %q", next)
	}
	second := parse(t, s.call(t, http.MethodGet, next+"&lang=en", nil).body)
	if len(find(find(second, "tbody")[0], "tr")) != 5 || !strings.Contains(text(second), "First page") || strings.Contains(text(second), "Next page") {
		t.Error("the last page is wrong")
	}
	found := parse(t, s.call(t, http.MethodGet, "/?lang=en&court=&caseType=&status=&number=%D9%A3&q=%3Cb%3E", nil).body)
	if !strings.Contains(text(found), "No case matches.") || !strings.Contains(text(found), "Clear search") {
		t.Error("a search without results does not say so")
	}
	values := ""
	for _, input := range find(found, "input") {
		values += attr(input, "name") + "=" + attr(input, "value") + ";"
	}
	if values != "number=٣;q=<b>;" {
		t.Errorf("the form forgets what was asked: %s", values)
	}
}

func TestPageWeight(t *testing.T) {
	s := start(t)
	for i := range 20 {
		body := filing()
		body["title"] = fmt.Sprintf("مطالبة بأجرة مأجور رقم %d عن شقة سكنية", i)
		s.file(t, body)
	}
	page := s.call(t, http.MethodGet, "/", nil, "Accept-Encoding", "gzip")
	if size := len(page.body); page.header.Get("Content-Encoding") != "gzip" || size > maxHTML {
		t.Errorf("the full list has %d bytes", size)
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(page.body))
	if err != nil {
		t.Fatal(err)
	}
	root, err := html.Parse(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range find(root, "link") {
		if attr(link, "rel") != "stylesheet" {
			continue
		}
		style := s.call(t, http.MethodGet, attr(link, "href"), nil, "Accept-Encoding", "gzip")
		if style.status != 200 || len(style.body) > maxCSS || !strings.Contains(style.header.Get("Cache-Control"), "immutable") {
			t.Errorf("style: status %d, %d bytes, %s", style.status, len(style.body), style.header.Get("Cache-Control"))
		}
		t.Logf("compressed: HTML %d bytes, CSS %d bytes", len(page.body), len(style.body))
		return
	}
	t.Error("the page has no style sheet")
}
