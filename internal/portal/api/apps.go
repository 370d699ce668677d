package api

import "github.com/truxeio/caddy-truxe/internal/portal/web"

// appRow is an app in the API.
type appRow struct {
	Name        string `json:"name"` // the host when the app has none
	Host        string `json:"host"`
	URL         string `json:"url"`
	Description string `json:"description"`
	Icon        string `json:"icon"`
	StepUp      bool   `json:"step_up"`
}

// Apps lists the apps that the caller may open.
func Apps(c *web.Call) error {
	rows := []appRow{}
	for _, a := range c.Apps() {
		row := appRow{Name: a.Site.Name, Host: a.Site.Host, URL: a.URL, Description: a.Site.Description,
			Icon: a.Site.Icon, StepUp: a.StepUp}
		if row.Name == "" {
			row.Name = row.Host
		}
		rows = append(rows, row)
	}
	return c.List(rows)
}
