package api

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"depositd/platform/deposit"
)

func (s *server) getReport(c *gin.Context) error {
	text, err := param(c, "day")
	if err != nil {
		return err
	}
	day, err := deposit.ParseDay(text)
	if err != nil {
		return badParameter("day", "day_malformed", "日期不存在或格式不对，应如 2026-06-12")
	}
	if err := onlyParameters(c); err != nil {
		return err
	}
	report, err := s.Reconcile.Report(c.Request.Context(), s.sight(c), day)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, report)
	return nil
}

func (s *server) getCredit(c *gin.Context) error {
	id, err := idParam(c)
	if err != nil {
		return err
	}
	credit, err := s.Reconcile.Credit(c.Request.Context(), s.sight(c), id)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, credit)
	return nil
}
