"""runner: what run_stage.py is made of.

    main       command line; a task from its claim to its verdict
    call       ENV SCRIPT ARGS... -> Call
    claim      who has a task in hand
    attempt    waits for the inputs, runs the stage script once, writes stage_status.json
    verdict    did the stage end well, and why not
"""
