package portal

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// activityPage is how many events a page of the list has.
const activityPage = 25

// pageActivity lists what happened to one's own account, from the audit log.
func pageActivity(c *call) error {
	user, _, err := c.own()
	if err != nil {
		return err
	}
	var before int64
	if cursor := c.r.URL.Query().Get("cursor"); cursor != "" {
		if before, err = strconv.ParseInt(cursor, 10, 64); err != nil || before < 1 {
			before = 0
		}
	}
	rows, err := c.People.Activity(c.ctx(), user, before, activityPage+1)
	if err != nil {
		return err
	}
	page := view.Activity{Viewer: c.viewer()}
	if len(rows) > activityPage {
		rows = rows[:activityPage]
		page.Older = c.Base + "/account/activity?cursor=" + strconv.FormatInt(rows[len(rows)-1].Seq, 10)
	}
	if before > 0 {
		page.Newer = c.Base + "/account/activity"
	}
	for _, r := range rows {
		page.Events = append(page.Events, c.event(r))
	}
	c.View.Render(c.w, c.r, http.StatusOK, page)
	return nil
}

func (c *call) events(user identity.ID, before int64, limit int) ([]view.Event, error) {
	rows, err := c.People.Activity(c.ctx(), user, before, limit)
	if err != nil {
		return nil, err
	}
	var list []view.Event
	for _, r := range rows {
		list = append(list, c.event(r))
	}
	return list, nil
}

// event reads an audit line as its owner may see it.
func (c *call) event(r store.AuditRow) view.Event {
	var line struct {
		UserAgent string `json:"user_agent"`
		Session   string `json:"session"`
		Host      string `json:"host"`
	}
	_ = json.Unmarshal(r.Line, &line) // our own line; what cannot be read stays empty
	return view.Event{Name: r.Event, Outcome: r.Outcome, Time: r.Time, UserAgent: line.UserAgent, Address: r.IP, Host: line.Host, Reference: r.Reference,
		Current: line.Session != "" && line.Session == c.entry.Principal.SessionID}
}
