package sqldb

import "strings"

// Words puts this engine's words for $ID, $SEQ, $DAY, $TIME and $TABLE into a statement that makes a table which is not
// the schema's, such as one to measure against. $OF, at the end of a line, stands before the table of an index that is
// dropped, which one engine wants to be told and the other takes for a remark.
func (db *DB) Words(text string) string {
	for word, meaning := range db.engine.words() {
		text = strings.ReplaceAll(text, word, meaning)
	}
	return text
}
