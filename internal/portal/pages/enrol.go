package pages

import (
	"net/http"
	"slices"

	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
	"github.com/truxeio/caddy-truxe/internal/problem"
	"github.com/truxeio/caddy-truxe/internal/signin"
	"github.com/truxeio/caddy-truxe/internal/signin/secondfactor"
)

// enrol sets a second factor up within a sign-in that must have one (R6). The key or challenge is bound to the half
// sign-in, so no one is signed in until it works.
func enrol(c *web.Call, key signin.HalfKey, half signin.Half, id, choice string) error {
	switch {
	case choice == view.MethodTOTP && slices.Contains(half.Enrol, choice):
		return enrolTOTP(c, http.StatusOK, key, half, view.TOTP{Return: id})
	case choice == view.MethodPasskey && slices.Contains(half.Enrol, choice):
		c.Render(http.StatusOK, view.Passkeys{Forced: true, Viewer: halfViewer(half), Return: id,
			BeginURL:  c.Base + "/api/v1/login/passkey/begin?step=enrol",
			FinishURL: c.Base + "/api/v1/login/passkey/finish?step=enrol"})
		return nil
	}
	page := view.Enrol{Account: halfViewer(half), Methods: half.Enrol, Return: id}
	page.Host, page.App = target(c, id)
	c.Render(http.StatusOK, page)
	return nil
}

func halfViewer(h signin.Half) view.Viewer {
	return view.Viewer{Username: h.User.Username, Name: h.User.Name}
}

func enrolTOTP(c *web.Call, status int, key signin.HalfKey, half signin.Half, page view.TOTP) error {
	setup, err := c.SignIn.HalfSignIns.BeginTOTP(c.Context(), key, c.Host)
	if err != nil {
		return err
	}
	page.Forced, page.Viewer = true, halfViewer(half)
	if err := fillTOTP(&page, setup); err != nil {
		return err
	}
	c.Render(status, page)
	return nil
}

// fillTOTP shows a key as text, link and picture.
func fillTOTP(page *view.TOTP, setup secondfactor.Setup) error {
	var err error
	page.Key, page.URI = setup.Key.Text(), setup.URI
	page.QR, err = credential.QR(setup.URI)
	return err
}

func enrolFailed(c *web.Call, err error, key signin.HalfKey, half signin.Half, id string) error {
	known, ok := web.KnownError(err)
	if !ok {
		return err
	}
	if known.Code == identity.CodeLoginRequired {
		return secondStepOver(c, id, "problem.sign_in_over")
	}
	c.RateFields(err)
	page, status := view.TOTP{Return: id}, problem.Status(known.Code)
	switch known.Code {
	case identity.CodeInvalidCode:
		page.Problems = []view.Problem{web.CodeProblem(known, view.MethodTOTP, view.FieldCode)}
	case identity.CodeInvalidRequest: // the key is gone, so a new one is shown
		page.Problems, status = []view.Problem{{Key: "problem.enrolment_over"}}, http.StatusUnprocessableEntity
	case identity.CodeRateLimited:
		page.Wait = c.WaitFor(known)
	default:
		return err
	}
	if _, _, still, halfErr := halfOf(c); halfErr != nil || !still {
		return secondStepOver(c, id, "problem.codes_over")
	}
	return enrolTOTP(c, status, key, half, page)
}
