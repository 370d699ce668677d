package api

import (
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
	"github.com/truxeio/caddy-truxe/internal/portal/wire"
)

// Devices lists the browsers that are not asked for the caller's second factor.
func Devices(c *web.Call) error {
	user, _, err := c.Own()
	if err != nil {
		return err
	}
	list, err := c.SignIn.Devices.Trusted(c.Context(), user)
	if err != nil {
		return err
	}
	here := c.Browser().ThisDevice(user)
	items := make([]wire.Device, 0, len(list))
	for _, d := range list {
		items = append(items, wire.DeviceOf(d, here))
	}
	return c.List(items)
}

// ForgetDevice ends the trust in one browser.
func ForgetDevice(c *web.Call) error {
	id, ok := identity.ParseID(c.ID)
	if !ok || id.IsZero() {
		return identity.NotFound("")
	}
	return forget(c, id)
}

// ForgetDevices ends the trust in all browsers.
func ForgetDevices(c *web.Call) error { return forget(c, identity.ID{}) }

func forget(c *web.Call, id identity.ID) error {
	if err := c.SignIn.Devices.Forget(c.Context(), c.By(), id); err != nil {
		return err
	}
	return c.NoContent()
}
