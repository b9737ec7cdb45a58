package main

import (
	"context"
	"errors"
	"time"
)

// Levels and limits of incidents follow the clock, to the minute.
const (
	incidentsJob  = "incidents"
	incidentEvery = time.Minute
)

// tendIncidents looks every minute at what time alone has made of open incidents. A failure is logged and tried again.
func (a *app) tendIncidents(ctx context.Context, jobs *jobMetrics) {
	tick := time.NewTicker(incidentEvery)
	defer tick.Stop()
	for {
		err := a.holding(ctx, incidentsJob, "", func(ctx context.Context) error { return a.incident.Tend(ctx, incidentsJob) })
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errHeld): // another replica looks
		case err != nil:
			jobs.failed(incidentsJob)
			a.log.Warn("looking at the clocks of incidents failed; it will be tried again", "error", err)
		default:
			jobs.succeeded(incidentsJob, a.db.Now())
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
