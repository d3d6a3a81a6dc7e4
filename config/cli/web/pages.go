package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"

	"hbjournal/config/cli/report"
)

//go:embed page/*.html
var templates embed.FS

//go:embed page/style.css
var style string

//go:embed page/script.js
var script string

//go:embed page/favicon.svg
var icon string

// pages are the templates, and what the pages are shown with.
type pages struct {
	all                 *template.Template
	style, script, icon string
}

func loadPages() (*pages, error) {
	all, err := template.New("").Funcs(template.FuncMap{"percentOf": func(share float64) float64 { return 100 * share }}).
		ParseFS(templates, "page/*.html")
	if err != nil {
		return nil, fmt.Errorf("parse the pages: %w", err)
	}
	return &pages{all: all, style: report.Style() + style, script: script, icon: icon}, nil
}

// part fills one of the templates.
func (p *pages) part(name string, data any) (template.HTML, error) {
	var b bytes.Buffer
	if err := p.all.ExecuteTemplate(&b, name, data); err != nil {
		return "", fmt.Errorf("fill the template %s: %w", name, err)
	}
	return template.HTML(b.String()), nil
}

// asset answers with a text that never changes while we run.
func (p *pages) asset(contentType, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write([]byte(text)) // The client may have gone away.
	}
}

// show answers with a page.
func (s *Server) showPage(w http.ResponseWriter, code int, name string, data any) {
	html, err := s.pages.part(name, data)
	if err != nil {
		s.opt.Log.Error().Err(err).Msg("a page cannot be made")
		writeText(w, http.StatusInternalServerError, "the page cannot be made: the log of 'hbjournal web' has the reason")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	if extend(w) == nil {
		_, _ = w.Write([]byte(html)) // The client may have gone away.
	}
}

// frame is what all pages have.
type frame struct {
	Title   string // of the page
	Journal string // what is shown
	Version string
	Zone    string
	Refresh int    // seconds after which a page without a script loads again; 0: never
	At      string // the position that the stream goes on from; "": there is no stream
	Query   string // what it asks for, as part of an address
}

func (s *Server) frame(title string) frame {
	return frame{Title: title, Journal: report.Printable(s.opt.Title), Version: s.opt.Version, Zone: s.opt.Now().In(s.opt.Zone).Format("MST")}
}

// sorry is a page that says why there is no other.
func (s *Server) sorry(w http.ResponseWriter, code int, title, text string) {
	s.showPage(w, code, "sorry.html", struct {
		frame
		Text string
	}{s.frame(title), text})
}
