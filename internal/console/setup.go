package console

import (
	"context"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/people"
)

// SetupLink is a one-time link that creates the first administrator.
type SetupLink struct {
	Expires string `json:"expires"`
	URL     string `json:"url"`
}

// CreateSetupLink creates a new one-time link. The code is in the fragment, which browsers send to no server and no log
// keeps.
func (c *Console) CreateSetupLink(ctx context.Context, by change.By, _ None) (SetupLink, error) {
	code, err := c.People.NewSetupCode(ctx, by)
	if err != nil {
		return SetupLink{}, err
	}
	return SetupLink{Expires: stamp(c.Now().Add(people.SetupLife)), URL: c.SetupURL + "#t=" + code}, nil
}

// FirstAdmin is the administrator to create.
type FirstAdmin struct {
	Username string `json:"username"`
	Email    string `json:"email"`
	Name     string `json:"name"`
	Password string `json:"password"`
}

// CreateFirstAdmin creates the first administrator, unless there are users already.
func (c *Console) CreateFirstAdmin(ctx context.Context, by change.By, in FirstAdmin) (UserRow, error) {
	u, err := c.People.CreateFirstAdmin(ctx, by, people.NewUser{Username: in.Username, Email: in.Email, Name: in.Name,
		Password: in.Password})
	if err != nil {
		return UserRow{}, err
	}
	return userRow(u), nil
}
