package api

import (
	"context"
	_ "embed"
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"depositd/bank"
	"depositd/migrations/sqldb"
)

//go:embed openapi.yaml
var openAPI []byte

func (s *server) getOpenAPI(c *gin.Context) error {
	c.Data(http.StatusOK, "application/yaml", openAPI)
	return nil
}

func (s *server) getVersion(c *gin.Context) error {
	c.JSON(http.StatusOK, gin.H{"version": s.Version})
	return nil
}

// livez says that the process answers, and nothing about what it depends on: restarting it mends no database.
func (s *server) livez(c *gin.Context) error {
	c.JSON(http.StatusOK, gin.H{"status": "ok"})
	return nil
}

// judgeBehind is how long an entry may wait for its verdict before readyz says so. Judging takes well under a second.
const judgeBehind = 10 * time.Minute

// readyz says whether this replica can take messages: 503 when the database is away or has another schema. Verdicts that
// are late are told and do not make it unready, since a replica that judges late can still receive, and a fault in a
// rule must never lose a notice. How many wait is not told: it would tell how many paid.
func (s *server) readyz(c *gin.Context) error {
	ctx := c.Request.Context()
	if err := s.DB.Ping(ctx); err != nil {
		return unavailable("database_unavailable", "数据库连接不上")
	}
	if err := s.checkSchema(ctx); err != nil {
		return err
	}
	age, err := s.backlogAge(ctx)
	if err != nil {
		return err
	}
	judge := "ok"
	if age > judgeBehind {
		judge = "behind"
	}
	c.JSON(http.StatusOK, gin.H{"status": "ok", "judge": judge})
	return nil
}

// checkSchema asks until the answer was yes once: asking takes the writer's connection.
func (s *server) checkSchema(ctx context.Context) error {
	if s.schemaFit.Load() {
		return nil
	}
	err := s.DB.CheckSchema(ctx)
	if errors.Is(err, sqldb.ErrSchema) {
		return unavailable("schema_outdated", "数据库结构与程序版本不符，请运行 depositd migrate")
	}
	if err == nil {
		s.schemaFit.Store(true)
	}
	return err
}

// backlogAge is how long the oldest of the entries judged next has waited for its verdict; 0 when none waits.
func (s *server) backlogAge(ctx context.Context) (time.Duration, error) {
	since, err := bank.WaitingSince(ctx, s.DB)
	if err != nil || since.IsZero() {
		return 0, err
	}
	return s.DB.Now().Sub(since), nil
}
