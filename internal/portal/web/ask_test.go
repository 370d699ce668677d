package web

import (
	"net/url"
	"testing"
	"time"
)

// The query of the confirmation page is a client's: it asks for one factor of a bounded age, or for nothing.
func FuzzAskOf(f *testing.F) {
	f.Add("acr_values=urn:truxe:acr:mfa&max_age=300")
	f.Add((&Flows{}).ConfirmPage(AskOf(url.Values{"acr_values": {"mfa"}})))
	f.Add("max_age=99999999999999999999")
	f.Add("acr_values=x&max_age=-1")
	f.Fuzz(func(t *testing.T, text string) {
		query, _ := url.ParseQuery(text)
		ask := AskOf(query)
		if ask.MFA && ask.Passkey || ask.MaxAge < 0 || ask.MaxAge > 365*24*time.Hour || ask.MaxAge > 0 && !ask.MFA &&
			!ask.Passkey {
			t.Errorf("%q: %+v", text, ask)
		}
		page, err := url.Parse((&Flows{}).ConfirmPage(ask))
		if err != nil || (ask.MFA || ask.Passkey) && AskOf(page.Query()) != ask {
			t.Errorf("%q: %+v is written as %v", text, ask, page)
		}
	})
}
