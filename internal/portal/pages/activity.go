package pages

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// activityPage is how many events a page of the list has.
const activityPage = 25

// Activity lists what happened to one's own account, from the audit log.
func Activity(c *web.Call) error {
	user, _, err := c.Own()
	if err != nil {
		return err
	}
	var before int64
	if cursor := c.R.URL.Query().Get("cursor"); cursor != "" {
		if before, err = strconv.ParseInt(cursor, 10, 64); err != nil || before < 1 {
			before = 0
		}
	}
	rows, err := c.People.Activity(c.Context(), user, before, activityPage+1)
	if err != nil {
		return err
	}
	page := view.Activity{Viewer: c.Viewer()}
	if len(rows) > activityPage {
		rows = rows[:activityPage]
		page.Older = c.Base + "/account/activity?cursor=" + strconv.FormatInt(rows[len(rows)-1].Seq, 10)
	}
	if before > 0 {
		page.Newer = c.Base + "/account/activity"
	}
	for _, r := range rows {
		page.Events = append(page.Events, event(c, r))
	}
	c.Render(http.StatusOK, page)
	return nil
}

func events(c *web.Call, user identity.ID, before int64, limit int) ([]view.Event, error) {
	rows, err := c.People.Activity(c.Context(), user, before, limit)
	if err != nil {
		return nil, err
	}
	var list []view.Event
	for _, r := range rows {
		list = append(list, event(c, r))
	}
	return list, nil
}

// event reads an audit line as its owner may see it.
func event(c *web.Call, r store.AuditRow) view.Event {
	var line struct {
		UserAgent string `json:"user_agent"`
		Session   string `json:"session"`
		Host      string `json:"host"`
	}
	_ = json.Unmarshal(r.Line, &line) // our own line; what cannot be read stays empty
	return view.Event{Name: r.Event, Outcome: r.Outcome, Time: r.Time, UserAgent: line.UserAgent, Address: r.IP,
		Host: line.Host, Reference: r.Reference,
		Current: line.Session != "" && line.Session == c.Entry.Principal.SessionID}
}
