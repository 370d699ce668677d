package test

import (
	"net/http"
	"testing"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// pwa is an app whose service worker answers every navigation with its shell, except the gateway's, and whose page asks
// for a sign-in when a call is refused, as docs/how-to/service-workers.md says.
const pwa = `
	@signout {
		method POST
		path /.truxe/logout /.truxe/api/v1/logout
	}
	header @signout >Clear-Site-Data "\"cache\", \"storage\""
	truxe {
		public /sw.js
	}
	@page not path *.js
	header @page Content-Type "text/html; charset=utf-8"
	@script path *.js
	header @script Content-Type text/javascript
	respond /sw.js "addEventListener('install', (e) => e.waitUntil(caches.open('v1').then((c) => c.addAll(['/shell', '/app.js'])).then(() => skipWaiting())));
addEventListener('activate', (e) => e.waitUntil(clients.claim()));
addEventListener('fetch', (e) => {
  const url = new URL(e.request.url);
  if (url.origin === location.origin && url.pathname.startsWith('/.truxe/')) return;
  if (e.request.mode === 'navigate') e.respondWith(caches.match('/shell'));
  else e.respondWith(caches.match(e.request).then((kept) => kept || fetch(e.request)));
});"
	respond /app.js "navigator.serviceWorker.register('/sw.js');
navigator.serviceWorker.ready.then(() => { document.title = 'ready'; });
fetch('/api/orders').then((answer) => {
  document.querySelector('h1').textContent = answer.status === 401 ? 'Refused' : 'Orders';
  if (answer.status === 401) location.href = '/.truxe/login?return=' + encodeURIComponent(location.pathname + location.search);
});"
	respond /api/orders "[]"
	respond "<!doctype html><html lang=en><title>App</title><h1>Shell</h1><script src=/app.js></script>"
`

// ED-23 an app with a service worker that follows the documentation keeps no user out: when the session has ended, its
// shell comes from the cache and leads to the sign-in, and back to the page. Signing out ends the worker where Caddy
// says so.
func TestServiceWorkerThatFollowsTheDocumentsLeadsToTheSignIn(t *testing.T) {
	s := tell(t, plot{sites: site("app.example.com", pwa)})
	v := s.view(t, false)
	v.Open(v.at("app", "/orders?page=2"))
	v.signIn("pia", piaPassword)
	v.WaitText("h1", "Orders")
	v.WaitText("title", "ready")
	s.cli("sessions", "revoke", "--user", "pia", "--yes")
	v.Open(v.at("app", "/orders?page=3"))
	v.WaitLocation("/.truxe/login")
	v.signIn("pia", piaPassword)
	v.WaitLocation("/orders?page=3")
	v.WaitText("h1", "Orders")
	v.signOut("app", func(string) {})
	if n := rig.Eval[int](v.Chromium, "navigator.serviceWorker.getRegistrations().then((list) => list.length)"); n != 0 {
		t.Errorf("%d service workers are left after the sign-out", n)
	}

	b := s.browser("app.example.com")
	b.signIn("pia", piaPassword)
	if got := b.form("logout").want(http.StatusSeeOther).header.Values("Clear-Site-Data"); len(got) != 1 ||
		got[0] != `"cache", "storage"` {
		t.Errorf("Clear-Site-Data %q", got)
	}
}
