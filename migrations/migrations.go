// Package migrations holds the schema: one text for both engines.
package migrations

import "embed"

// Files are the migrations in goose's form. These words are replaced by what the engine says for them: $ID a key, $SEQ a
// counted key, $DAY a business day, $TIME an instant, $TABLE what follows a table's closing bracket, $OF, at the end of a line, what
// stands before the table of an index that is dropped; $FILE begins a line that is only for a database that is a file.
//
//go:embed *.sql
var Files embed.FS
