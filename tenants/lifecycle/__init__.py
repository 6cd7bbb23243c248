"""A tenant's life: suspended and resumed, exported, deleted; and how long the installation keeps what it has."""
