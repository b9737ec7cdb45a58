package api

import "github.com/gin-gonic/gin"

// anybody is who sends a request as long as nobody logs in: a person whose eyes reach over all departments, and over no
// lot before its opening.
func anybody(*gin.Context) Caller {
	return Caller{Kind: Person, Roles: wholeCentre}
}
