"""Sentences that services say in English and the console's pages show in the reader's language.

tests/console/test_words.py holds this list complete.
"""

from __future__ import annotations

from rapport.console.i18n import mark

SENTENCES = (
    # rapport/staff/rules.py
    mark("That is not an e-mail address."),
    mark("A name needs 1 to 120 letters."),
    mark("There is no such role."),
    mark("A password needs 12 to 200 characters."),
    mark("That password repeats a few characters; it is easily guessed."),
    mark("The password must not be your name or address."),
    mark("Nobody changes their own role. Another administrator can."),
    mark("Nobody switches off their own account. Another administrator can."),
    mark("This is the last administrator. Make somebody else one first."),
    mark("This account is switched off. Switch it on first."),
    mark("This address has an account already."),
    mark("You are no administrator any more."),
    # rapport/staff/links.py
    mark("This link was used before, or it is too old. Ask for a new one."),
    # rapport/staff/oidc.py
    mark("The login provider cannot be reached. Try again in a minute."),
    mark("The login was stopped at the provider."),
    mark("This login is too old or was used before. Begin again."),
    mark("The login provider's answer cannot be trusted. The app's log says why."),
    mark("The login provider does not say that your e-mail address is verified."),
    mark("There is no account here with your e-mail address. Ask an administrator for one."),
    mark("Your account here is switched off."),
    mark("Your account here belongs to somebody else at the provider. Ask an administrator to invite you."),
    # On the page that says what went wrong.
    mark("There is no such page."),
    mark("There is no such section."),
    mark("There is no such version."),
    mark("There is no such offer."),
    mark("There is no such answer."),
    mark("There is no such canned reply."),
    mark("There is no such journey."),
    mark("There is no such conversation."),
    mark("There is no such mention."),
    mark("There is no such note."),
    mark("There is no such view."),
    mark("Only who wrote a note may change it."),
    mark("That is nobody who answers customers."),
    mark("The conversation does not wait any more."),
    mark("The form is too old. Load the page again."),
    mark("This came from another site."),
    # rapport/review/views.py
    mark("A name needs 1 to 60 letters."),
    mark("Choose some filters first."),
    mark("You have 30 views already. Delete one first."),
)
