package identity

import (
	"slices"
	"testing"
	"time"
)

// MF-21: what a site asks is judged by what was proven and when, not by what a list of names says.
func TestAssuranceIsJudgedByWhatWasProvenAndWhen(t *testing.T) {
	now := time.Unix(1_780_000_000, 0)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	password := &Principal{Proof: Proof{AuthTime: ago(time.Minute), AMR: []string{AMRPassword, AMRMFA, AMRHardware}}}
	otp := &Principal{Proof: Proof{AuthTime: ago(time.Minute), MFATime: ago(8 * time.Minute)}}
	passkey := &Principal{Proof: Proof{AuthTime: ago(time.Minute), MFATime: ago(time.Minute),
		PasskeyTime: ago(20 * time.Minute)}}
	future := &Principal{Proof: Proof{AuthTime: ago(-time.Hour), MFATime: ago(-time.Hour)}}
	mfa, key := Assurance{MFA: true}, Assurance{Passkey: true}
	fresh := func(a Assurance, d time.Duration) Assurance { a.MaxAge = d; return a }
	for name, c := range map[string]struct {
		ask  Assurance
		who  *Principal
		want Code
	}{
		"nothing asked, no user":             {Assurance{}, nil, ""},
		"no user":                            {mfa, nil, CodeLoginRequired},
		"password alone":                     {mfa, password, CodeMFARequired},
		"password for a passkey":             {key, password, CodePasskeyRequired},
		"code":                               {mfa, otp, ""},
		"code for a passkey":                 {key, otp, CodePasskeyRequired},
		"code in time":                       {fresh(mfa, 10*time.Minute), otp, ""},
		"code at the edge":                   {fresh(mfa, 8*time.Minute), otp, ""},
		"code too old though a password new": {fresh(mfa, 5*time.Minute), otp, CodeReauthRequired},
		"passkey":                            {key, passkey, ""},
		"passkey meets mfa":                  {fresh(mfa, 5*time.Minute), passkey, ""},
		"passkey too old though a code new":  {fresh(key, 5*time.Minute), passkey, CodeReauthRequired},
		"any fresh sign-in":                  {Assurance{MaxAge: 2 * time.Minute}, password, ""},
		"no fresh sign-in":                   {Assurance{MaxAge: 30 * time.Second}, password, CodeReauthRequired},
		"proven in the future":               {fresh(mfa, 10*time.Minute), future, CodeReauthRequired},
		"never signed in (service)":          {Assurance{MaxAge: time.Hour}, &Principal{}, CodeReauthRequired},
	} {
		if got := c.ask.Unmet(c.who, now); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	for want, ask := range map[string]Assurance{"1": {MaxAge: time.Minute}, "2": mfa, "3": {MFA: true, Passkey: true}} {
		if got := ask.ACRValues(); got != want {
			t.Errorf("%+v asks for acr %s, want %s", ask, got, want)
		}
	}
}

func TestMethodsAreAddedOnceAndTheOriginalStays(t *testing.T) {
	before := []string{AMRPassword}
	after := AddAMR(before, AMROTP, AMRMFA, AMRPassword, AMROTP)
	if !slices.Equal(after, []string{"pwd", "otp", "mfa"}) || len(before) != 1 {
		t.Errorf("%v %v", after, before)
	}
}
