// Package people is who may come in: persons with accounts, passwords, second factors and sessions, and machines with
// tokens. It says who somebody is and which roles they have; what a role may do stands in the table of routes, and whose
// lots they see in deposit.Sight.
//
// It stands on the platform's floor because accounts belong to the centre and not to a bank, and since whoever signs on a
// higher floor is named by it; it knows lots and money as little as the storage does, and imports the vocabulary alone.
package people
