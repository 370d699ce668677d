package cluster

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
)

// parseSocket reads what follows redis+unix://.
func parseSocket(rest string) (*Options, error) {
	o := &Options{Mode: ModeSingle}
	rest, query, _ := strings.Cut(rest, "?")
	if strings.ContainsAny(rest+query, "#") || strings.ContainsRune(query, '@') {
		return nil, errors.New("redis url has a # or an @ after the path; write # @ / ? in a password as %23 %40 %2F %3F")
	}
	user, path, ok := strings.Cut(rest, "/")
	if user != "" {
		if !strings.HasSuffix(user, "@") {
			return nil,
				errors.New("redis+unix:// has the path of a socket after its user: redis+unix://:password@/run/redis.sock")
		}
		if err := o.parseUser(strings.TrimSuffix(user, "@")); err != nil {
			return nil, err
		}
	}
	path, err := url.PathUnescape(path)
	if !ok || err != nil || path == "" || strings.ContainsAny(path, "@\x00") || len(path) > 100 {
		return nil, errors.New("redis+unix:// needs the path of a socket, of 100 bytes at most: redis+unix:///run/redis.sock")
	}
	o.Addrs = []string{"/" + path}
	values, err := url.ParseQuery(query)
	if err != nil || len(values) > 1 || len(values) == 1 && len(values["db"]) != 1 {
		return nil, errors.New("redis+unix:// has one parameter at most: db")
	}
	if db := values.Get("db"); db != "" {
		n, err := strconv.ParseUint(db, 10, 16)
		if err != nil {
			return nil, errors.New("parameter db of the redis url must be a database number")
		}
		o.DB = int(n)
	}
	return o, nil
}
