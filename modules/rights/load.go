package rights

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// LoadRelations reads, from case_relation, what the actor and whoever the actor
// stands in for at the time now are to a case: Record.Relations. It leaves out
// whose relations the policies do not show, as before Enter, so that Decide
// does not take them for people without one. A relation that is not known is
// an error, because it might have refused.
func LoadRelations(ctx context.Context, tx pgx.Tx, actor *Actor, caseID string, now time.Time) (map[string]RelationSet, error) {
	rows, _ := tx.Query(ctx, `SELECT p::text, coalesce(held.relation, '') FROM unnest($2::uuid[]) p
		LEFT JOIN case_relation held ON held.person = p AND held.case_id = $1
		WHERE (SELECT rights_actor()) -> 'people' ? p::text`, caseID, actor.People(now))
	relations := map[string]RelationSet{}
	var person, code string
	_, err := pgx.ForEachRow(rows, []any{&person, &code}, func() error {
		relation, known := ParseRelation(code)
		switch {
		case known:
			relations[person] |= SetOf(relation)
		case code == "":
			relations[person] = 0
		default:
			return errors.New("a relation is not known")
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read relations to a case: %w", err)
	}
	return relations, nil
}
