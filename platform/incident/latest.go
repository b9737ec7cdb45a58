package incident

import (
	"context"

	"depositd/migrations/sqldb"
)

// Latest is the newest incident of a key, the open one where there is one; sqldb.ErrNone where there never was any.
func Latest(ctx context.Context, r sqldb.Reader, key Key) (Incident, error) {
	return latest(ctx, r, key)
}
